"""The room of `finetune`."""
