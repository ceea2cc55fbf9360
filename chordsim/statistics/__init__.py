"""What numbers over users and seeds are worth: means, intervals, paired differences, and corrections for many comparisons."""
