"""`datagen compare`: pictures, and labels where there are any, set against a target."""
