"""What carries messages between the server app and the client app; the only place that knows Flower and Ray."""
