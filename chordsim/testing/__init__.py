"""What every plug-in is held to, by name: for packages of others as for what ships."""

from chordsim.testing.backbones import check_backbone as check_backbone
from chordsim.testing.data import check_data as check_data
from chordsim.testing.methods import check_method as check_method
from chordsim.testing.metrics import check_metric as check_metric
from chordsim.testing.properties import PropertyFailed as PropertyFailed
