"""RELATE: objects learned from unlabelled pictures, and labels by toggling them."""
