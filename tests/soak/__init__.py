"""The county at many times its rate, with faults all the while: `make soak`."""
