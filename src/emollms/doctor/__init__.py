"""What this machine offers to the package: versions, device, precision, memory, caches, the Hub, recipes that fit."""

from emollms.doctor.diagnosis import Diagnosis, examine

__all__ = ["Diagnosis", "examine"]
