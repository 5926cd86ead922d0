"""What a dataset will cost in time, memory and disk, before it is made."""
