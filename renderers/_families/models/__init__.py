"""Model files (GLB, OBJ, PLY, STL): checked, read in a process of their own, and normalised."""
