"""The service: HTTP API and pages over the jobs folder and the datasets that jobs make."""
