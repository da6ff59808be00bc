"""Sources that send nothing are asked what is new: one host at a time, from where the last poll got to."""
