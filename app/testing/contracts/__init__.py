"""What every reward, source and reporter must keep, as test classes to inherit."""
