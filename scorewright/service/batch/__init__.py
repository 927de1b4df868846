"""Batch scoring: Azure's batch contract over the files at a location, and the jobs that do it for the service."""
