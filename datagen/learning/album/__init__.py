"""The album: pictures of the prior that feature networks are trained on."""
