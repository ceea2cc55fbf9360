"""`cda4rec` where the catalogue stays in the cloud: the protocol lists, the cloud's model and the phone's order that list."""
