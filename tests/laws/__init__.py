"""What holds of the source, the words and the lists themselves."""
