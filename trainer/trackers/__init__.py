"""What tells others how a run goes: TensorBoard, Weights & Biases, MLflow."""
