"""The cloud: the Flower server app, the round loop, cloud training and the cloud halves of the methods."""
