"""What runs tell other programs: callbacks, with JSON lines and TensorBoard shipped."""

from chordsim.callbacks.json_lines import JsonLines as JsonLines
from chordsim.callbacks.protocol import Callback as Callback
from chordsim.callbacks.tensorboard import TensorBoard as TensorBoard
from chordsim.errors import StopRun as StopRun
