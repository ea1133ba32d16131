"""From scores of images to scores of breasts, exams and patients."""
