"""Object stores: places without folders, renames and locks, where an object is whole or absent."""
