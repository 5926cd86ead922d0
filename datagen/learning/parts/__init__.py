"""`datagen learn` of a recipe whose parts learn: from label maps, or from photos."""
