"""What can be measured: each kind runs in a process of its own and takes one repetition at a time."""
