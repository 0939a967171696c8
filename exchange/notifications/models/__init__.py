"""What people are told, by which ways, and how far that has come."""

from exchange.notifications.models.announcements import Announcement as Announcement
from exchange.notifications.models.announcements import AnnouncementText as AnnouncementText
from exchange.notifications.models.deliveries import Delivery as Delivery
from exchange.notifications.models.deliveries import Provider as Provider
from exchange.notifications.models.inbox import Notification as Notification
from exchange.notifications.models.targets import Phone as Phone
from exchange.notifications.models.targets import Preference as Preference
from exchange.notifications.models.targets import PushDevice as PushDevice
