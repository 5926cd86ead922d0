"""The table of painters of a street in perspective."""

from collections.abc import Mapping

from ._painting import Painter
from ._street_buildings import Building
from ._street_furniture import Barrier, LampPost, Sign, TrafficLight
from ._street_ground import Carriageway, Land, Marking, Pavement
from ._street_life import Cyclist, Pedestrian, StreetTree
from ._street_sky import Sky, Skyline
from ._street_traffic import Vehicle

STREET: Mapping[str, type[Painter]] = {
    "sky": Sky,
    "skyline": Skyline,
    "land": Land,
    "pavement": Pavement,
    "carriageway": Carriageway,
    "marking": Marking,
    "building": Building,
    "barrier": Barrier,
    "street_tree": StreetTree,
    "lamp_post": LampPost,
    "sign": Sign,
    "traffic_light": TrafficLight,
    "vehicle": Vehicle,
    "pedestrian": Pedestrian,
    "cyclist": Cyclist,
}
