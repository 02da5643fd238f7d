"""Speed and memory of a trained pipeline, beside its bare encoder, and how it behaves in long use."""
