"""What is learned about the models while they are used."""
