"""What a step's code is: canonical, with everything of the project that it uses, wherever that is written."""
