"""What was said, as markup that is safe to show. Everything in here takes hostile text."""
