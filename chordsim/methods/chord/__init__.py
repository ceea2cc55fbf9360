"""The room of CHORD: hypernetworks on the cloud prescribe each channel's precision on a phone.

`hypernetwork` holds the equations, `network` what the cloud trains around them, `settings` how a plan is made, the same on
both sides; `spec`, `cloud` and `device` are what every method has. `controls` holds the methods that tell whether it is the
user's own plan that helps.
"""
