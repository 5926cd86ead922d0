"""How good detections are, against labels: COCO's and KITTI's measures, and where they fail."""
