"""What the rooms of the house agree on: names, schemas, parameters, results and errors."""
