"""What this machine can do: each check is a finding with its remedy, and nothing is changed."""
