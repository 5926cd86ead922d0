"""What must be true of every label, checked apart from the code that made it."""

from datagen.audit.coco import audit_coco as audit_coco
from datagen.audit.coco import audit_image as audit_image
from datagen.audit.finding import Finding as Finding
from datagen.audit.frame import audit_frame as audit_frame
