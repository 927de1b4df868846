"""`scorewright doctor`: this machine, a service, a bundle or an image looked at, one check a file."""
