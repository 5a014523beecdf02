"""What the equation is: expressions, landscapes, noise, SDE, interpretation, regions; and the types of answers."""
