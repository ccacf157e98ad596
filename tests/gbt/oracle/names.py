"""What the peer calls each field: by edition and part of the tables."""

from __future__ import annotations

from edge.catalogue.item import Edition

OLD, NEW = Edition.Y2016, Edition.Y2025

_VEHICLE = {
    "state": "vehicle_state",
    "charge_state": "charge_state",
    "run_mode": "operate_state",
    "speed": "vehicle_speed",
    "odometer": "mileage_total",
    "voltage": "voltage_total",
    "current": "current_total",
    "soc": "soc",
    "dcdc_state": "dcdc_state",
    "gear.drive_force": "gear_state.driving_force",
    "gear.brake_force": "gear_state.braking_force",
    "gear.position": "gear_state.gear",
    "insulation": "insulation_resistance",
}
_MOTOR = {
    "motor[].index": "[].index",
    "motor[].state": "[].state",
    "motor[].ctrl_temp": "[].ctrl_temp",
    "motor[].speed": "[].speed",
    "motor[].torque": "[].torque",
    "motor[].temp": "[].temp",
}
_POSITION = {
    "status.no_fix": "gnss_state.gnss_valid",
    "status.south": "gnss_state.gnss_n_s",
    "status.west": "gnss_state.gnss_e_w",
    "lon": "gnss_lng",
    "lat": "gnss_lat",
}
_EXTREMES = {
    f"{end}_{what}": f"{end}_{theirs}"
    for end in ("max", "min")
    for what, theirs in (
        ("cell_v_pack", "volt_pack_index"),
        ("cell_v_cell", "volt_cell_index"),
        ("cell_v", "cell_volt"),
        ("temp_pack", "temp_pack_index"),
        ("temp_probe", "temp_cell_index"),
        ("temp", "cell_temp"),
    )
}
_ALARM = {
    "max_level": "max_warning_level",
    "flags": "general_warnings",
    "battery_codes[]": "pack_failures[]",
    "motor_codes[]": "emotor_failures[]",
    "engine_codes[]": "engine_failures[]",
    "other_codes[]": "other_failures[]",
}
_LOGIN = {"time": "timestamp", "session": "session_id", "iccid": "iccid"}
_LOGOUT = {"time": "timestamp", "session": "session_id"}
_PLATFORM = {**_LOGOUT, "user": "username", "password": "password", "encryption": "enc"}

NAMES = {
    (OLD, "body 01"): {**_VEHICLE, "accel_pedal": "accelerator_padel", "brake_pedal": "brake_padel"},
    (NEW, "body 01"): {**_VEHICLE, "gear.invalid": "gear_state.gear_postion_validity"},
    (OLD, "body 02"): {
        **_MOTOR,
        "motor[].ctrl_voltage": "[].ctrl_volt",
        "motor[].bus_current": "[].ctrl_curr",
    },
    (NEW, "body 02"): _MOTOR,
    (OLD, "body 04"): {
        "state": "engine_state",
        "speed": "engine_torque",
        "fuel_rate": "fuel_consumption",
    },
    (NEW, "body 04"): {"speed": "engine_torque"},
    (OLD, "body 05"): _POSITION,
    (NEW, "body 05"): {**_POSITION, "datum": "gnss_gcs"},
    (OLD, "body 06"): _EXTREMES,
    (OLD, "body 07"): _ALARM,
    (NEW, "body 06"): {
        **_ALARM,
        "levels[].bit": "general_warning_list[].warning",
        "levels[].level": "general_warning_list[].level",
    },
    (OLD, "body 08"): {
        "pack[].index": "[].index",
        "pack[].voltage": "[].volt",
        "pack[].current": "[].curr",
        "pack[].cells_total": "[].cell_total",
        "pack[].cells_first": "[].cell_start_index",
        "pack[].cells[]": "[].cell_volts[]",
    },
    (NEW, "body 07"): {
        "pack[].index": "[].index",
        "pack[].voltage": "[].volt",
        "pack[].current": "[].curr",
        "pack[].cells[]": "[].cell_volts[]",
    },
    (OLD, "body 09"): {"pack[].index": "[].index", "pack[].probes[]": "[].probe_temps[]"},
    (NEW, "body 08"): {"pack[].index": "[].index", "pack[].probes[]": "[].probe_temps[]"},
    (OLD, "command 01"): {
        **_LOGIN,
        "subsystems": "bms_total",
        "code_length": "pack_sn_len",
        "codes[]": "pack_sn[]",
    },
    (NEW, "command 01"): {
        **_LOGIN,
        "systems": "bms_total",
        "packs[]": "pack_per_bms[]",
        "codes[]": "pack_sn_list[]",
    },
    (OLD, "command 04"): _LOGOUT,
    (NEW, "command 04"): _LOGOUT,
    (OLD, "command 05"): _PLATFORM,
    (NEW, "command 05"): _PLATFORM,
    (OLD, "command 06"): _LOGOUT,
    (NEW, "command 06"): _LOGOUT,
    (NEW, "command 09"): {"time": "timestamp", "chip": "sec_chip_id", "key": "pubkey", "vin": "vin"},
    (NEW, "command 0A"): {"status": "activation_result", "info": "activation_info"},
    (NEW, "command 0B"): {
        "type": "payload_enc",
        "key_length": "payload_key_len",
        "key": "payload_key",
        "from": "key_starttime",
        "to": "key_endtime",
    },
    (NEW, "signature"): {"algorithm": "algo", "r": "r_value", "s": "s_value"},
}
"""Our path to the peer's, ``[]`` for places in lists. What is told by the length of a list is not there."""

FLAGS = (
    "temp_differentce_warning",
    "pack_high_temp_warning",
    "pack_over_volt_warning",
    "pack_under_volt_warning",
    "soc_low_warning",
    "cell_over_volt_warning",
    "cell_under_volt_warning",
    "soc_high_warning",
    "soc_jump_warning",
    "pack_unmatched_warning",
    "cell_poor_consistency_warning",
    "insulation_warning",
    "dcdc_temp_warning",
    "brake_system_wanring",
    "dcdc_state_warning",
    "emotor_driver_temp_warning",
    "hv_interlock_warning",
    "emotor_temp_warning",
    "pack_over_charged_warning",
    "emotor_over_speed_warning",
    "emotor_over_curr_warning",
    "super_capacitor_over_temp_warning",
    "super_capacitor_over_pressure_warning",
    "pack_thermal_event_warning",
    "hydrogen_leakage_warning",
    "hydrogen_system_presure_abnormal_warning",
    "hydrogen_system_temp_abnormal_warning",
    "fuel_cell_stack_over_temp_warning",
)
"""The peer's names of the general alarm bits, from bit 0 on."""

UNITS = {"℃": "degC", "kΩ": "kohm", "°": "deg", "N·m": "N.m"}
"""What the peer writes otherwise."""

UNDECODED = {
    (OLD, "body 03"): "fuel cells",
    (NEW, "body 03"): "fuel cells",
    (NEW, "body 30"): "fuel cell stacks",
    (NEW, "body 31"): "super-capacitors",
    (NEW, "body 32"): "extremes of super-capacitors",
}
"""Bodies that the peer does not take apart."""
