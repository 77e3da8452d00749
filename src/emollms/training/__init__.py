"""From a recipe to a checkpoint, and from an adapter to a merged model."""
