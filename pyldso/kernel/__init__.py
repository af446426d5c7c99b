"""What Linux does for a process: memory, exec, files, system calls, signals."""
