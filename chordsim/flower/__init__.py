"""Any Flower app on chordsim's phones: a grid that counts, a client mod that measures, a strategy that does not wait."""

from chordsim.flower.buffered import Buffered as Buffered
from chordsim.flower.grid import PhoneGrid as PhoneGrid
from chordsim.flower.mod import WHO_ACTION as WHO_ACTION
from chordsim.flower.mod import phone_mod as phone_mod
from chordsim.flower.mod import tell_partition as tell_partition
from chordsim.flower.phone_cost import PhoneCost as PhoneCost
