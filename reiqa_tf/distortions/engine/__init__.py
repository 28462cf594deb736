"""What makes the operators of the bank fast: windows, compiled programs, sums, random fields."""
