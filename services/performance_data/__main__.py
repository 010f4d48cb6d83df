"""`python -m services.performance_data`"""

from services.bus.run import run_room
from services.performance_data.worker import Statistics

if __name__ == "__main__":
    run_room("performance-data", Statistics)
