"""What a process counts for whoever watches it. The numbers of all processes lie in files of one folder."""
