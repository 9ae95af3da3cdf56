"""What is recorded about trials, and which process may run which of them."""
