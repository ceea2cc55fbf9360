"""Plans that know something the model does not: experiments with rival and falsifier named beforehand, their tables and their page."""
