"""What the service must bear: inputs made to break it, and hours of clients that behave badly."""
