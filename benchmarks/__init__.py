"""Scorewright beside azmlinfsrv and MLServer: the same models, requests and processors. `make bench` runs it."""
