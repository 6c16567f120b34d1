"""What builds and checks this project: set-up, the size gate, the verdict of a test run. Standard library only."""
