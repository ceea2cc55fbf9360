"""The room of CHORD: hypernetworks on the cloud prescribe each channel's precision on a phone."""
