/**
 * What variables are: one entry a quantity, under all the names data give it. WeatherBench 2's names come first; CF's
 * standard names, ECMWF's short names and paramIds, WMO's GRIB2 triples (discipline, category, number) and CMIP's names
 * follow, with the names common station files use.
 *
 *     identify({ name: "t2m", attrs: { units: "K" } })?.name;        // "2m_temperature"
 *     quantity("tas")?.units;                                        // "K"
 */
import { conversion, type Conversion, isUnit } from "./units.js";

export interface Quantity {
  /** WeatherBench 2's name, or one in its manner. */
  readonly name: string;
  readonly standardName?: string;
  readonly shortName?: string;
  readonly paramId?: number;
  readonly grib2?: readonly [discipline: number, category: number, number: number];
  readonly cmip?: string;
  /** Other names in use, lower case. */
  readonly aliases: readonly string[];
  /** Canonical units. */
  readonly units: string;
  /** What values on Earth lie between, in canonical units; beyond it, units or values are wrong. */
  readonly range: readonly [low: number, high: number];
  /** Near the ground, at the sea's surface, or through the air's column: no level. Otherwise on levels. */
  readonly surface: boolean;
  /** An amount gathered over a time, or a rate. */
  readonly kind: "state" | "amount" | "rate";
  /** Water: 1 kg m-2 = 1 mm. */
  readonly water?: boolean;
  readonly geopotential?: boolean;
}

/** name | standard name | short name | paramId | GRIB2 | CMIP | units | low | high | flags (s surface, a amount, r rate, w water, g geopotential) | aliases */
const TABLE = `
2m_temperature|air_temperature|2t|167|0.0.0|tas|K|173|340|s|t2m,temp,temp_c,temperature_2m,air_temp,tmpf,tair,t_2m
2m_dewpoint_temperature|dew_point_temperature|2d|168|0.0.6|tdps|K|150|320|s|d2m,dewp,dewpoint,tdp,dew_point,dew_point_temperature,td
2m_relative_humidity|relative_humidity|2r|260242|0.1.1|hurs|1|0|1.3|s|rhum,rhum_pct,humid,rh2m,relh,relative_humidity_2m
2m_specific_humidity|specific_humidity|2sh|174096|0.1.0|huss|kg kg-1|0|0.06|s|q2m
maximum_2m_temperature|air_temperature|mx2t|201|0.0.4|tasmax|K|173|345|s|tmax
minimum_2m_temperature|air_temperature|mn2t|202|0.0.5|tasmin|K|163|335|s|tmin
10m_u_component_of_wind|eastward_wind|10u|165|0.2.2|uas|m s-1|-120|120|s|u10,u10m
10m_v_component_of_wind|northward_wind|10v|166|0.2.3|vas|m s-1|-120|120|s|v10,v10m
10m_wind_speed|wind_speed|10si|207|0.2.1|sfcWind|m s-1|0|120|s|wind_speed,wdsp,wdsp_kt,windspeed,wspd,si10,ff
10m_wind_gust|wind_speed_of_gust|10fg|49|0.2.22|wsgmax|m s-1|0|150|s|wind_gust,windgust,gust,fg10,fx
10m_wind_from_direction|wind_from_direction|10wdir|260260|0.2.0||degree|0|360|s|wind_dir,winddir,wddir,wddir_deg,wdir,drct,dd
mean_sea_level_pressure|air_pressure_at_mean_sea_level|msl|151|0.3.1|psl|Pa|85000|110000|s|mslp,prmsl,slp,pressure,msl_hpa,sealevelpress,air_pressure_at_sea_level
surface_pressure|surface_air_pressure|sp|134|0.3.0|ps|Pa|40000|110000|s|pres,stationpressure
total_precipitation|precipitation_amount|tp|228|0.1.52||kg m-2|0|2000|saw|precip,rain,rain_mm,apcp,prcp,tp1h,precipitation,rr
total_precipitation_6hr|precipitation_amount||||pr6h|kg m-2|0|1500|saw|
total_precipitation_24hr|precipitation_amount||||pr24h|kg m-2|0|2000|saw|
precipitation_rate|precipitation_flux|prate|3059|0.1.7|pr|kg m-2 s-1|0|0.1|srw|lwe_precipitation_rate,mtpr,tprate
convective_precipitation|convective_precipitation_amount|cp|143|0.1.37||kg m-2|0|1500|saw|
snowfall|snowfall_amount|sf|144|0.1.53||kg m-2|0|1000|saw|
snow_depth|lwe_thickness_of_surface_snow_amount|sd|141|0.1.60|snw|kg m-2|0|20000|sw|
evaporation|lwe_thickness_of_water_evaporation_amount|e|182|0.1.79||kg m-2|-200|50|saw|
sea_surface_temperature|sea_surface_temperature|sst|34|10.3.0|tos|K|265|325|s|tos
skin_temperature|surface_temperature|skt|235|0.0.17|ts|K|170|360|s|
sea_ice_cover|sea_ice_area_fraction|ci|31|10.2.0|siconc|1|0|1|s|siconc,icec,sic
total_cloud_cover|cloud_area_fraction|tcc|164|0.6.1|clt|1|0|1|s|
total_column_water_vapour|atmosphere_mass_content_of_water_vapor|tcwv|137|0.1.64|prw|kg m-2|0|120|sw|pwat
top_net_thermal_radiation|toa_outgoing_longwave_flux|ttr|179|0.5.5||J m-2|-5000000|1000|sa|
toa_incident_solar_radiation|toa_incoming_shortwave_flux|tisr|212|0.4.7||J m-2|0|40000000|sa|
surface_solar_radiation_downwards|surface_downwelling_shortwave_flux_in_air|ssrd|169|0.4.7||J m-2|0|40000000|sa|
surface_downwelling_shortwave_flux|surface_downwelling_shortwave_flux_in_air||||rsds|W m-2|0|1500|sr|
outgoing_longwave_radiation|toa_outgoing_longwave_flux|||0.5.193|rlut|W m-2|50|450|sr|olr
land_sea_mask|land_binary_mask|lsm|172|2.0.0|sftlf|1|0|1|s|lsmask,land
geopotential_at_surface|surface_geopotential|z|129|0.3.4||m2 s-2|-5000|60000|sg|
orography|surface_altitude||228002|0.3.5|orog|m|-500|9000|s|elevation,height_above_sea,alt
visibility|visibility_in_air|vis|3020|0.19.0||m|0|200000|s|visib
convective_available_potential_energy||cape|59|0.7.6||J kg-1|0|10000|s|
boundary_layer_height|atmosphere_boundary_layer_thickness|blh|159|0.3.18||m|0|8000|s|
downward_heat_flux_in_sea_water|surface_downward_heat_flux_in_sea_water||||hfds|W m-2|-1500|1000|sr|
temperature|air_temperature|t|130|0.0.0|ta|K|130|345||ta,air,tmp
geopotential|geopotential|z|129|0.3.4||m2 s-2|-10000|600000|g|
geopotential_height|geopotential_height|gh|156|0.3.5|zg|m|-1000|60000|g|zg,hgt,z500,h500,height
specific_humidity|specific_humidity|q|133|0.1.0|hus|kg kg-1|0|0.06||shum
relative_humidity|relative_humidity|r|157|0.1.1|hur|1|0|1.6||rh
u_component_of_wind|eastward_wind|u|131|0.2.2|ua|m s-1|-200|200||uwnd,ugrd
v_component_of_wind|northward_wind|v|132|0.2.3|va|m s-1|-200|200||vwnd,vgrd
vertical_velocity|lagrangian_tendency_of_air_pressure|w|135|0.2.8|wap|Pa s-1|-60|60||omega
upward_air_velocity|upward_air_velocity|wz|260238|0.2.9|wa|m s-1|-60|60||
vorticity|atmosphere_relative_vorticity|vo|138|0.2.12||s-1|-0.01|0.01||relv
divergence|divergence_of_wind|d|155|0.2.13||s-1|-0.01|0.01||
potential_temperature|air_potential_temperature|pt|3|0.0.2||K|150|2000||
potential_vorticity|ertel_potential_vorticity|pv|60|0.2.14||K m2 kg-1 s-1|-0.001|0.001||
specific_cloud_liquid_water_content|mass_fraction_of_cloud_liquid_water_in_air|clwc|246|0.1.83|clw|kg kg-1|-0.00001|0.02||
specific_cloud_ice_water_content|mass_fraction_of_cloud_ice_in_air|ciwc|247|0.1.84|cli|kg kg-1|-0.00001|0.02||
ozone_mass_mixing_ratio|mass_fraction_of_ozone_in_air|o3|203|0.14.1|o3|kg kg-1|-0.000001|0.0001||
`;

/** All quantities, those near the surface first. */
export const QUANTITIES: readonly Quantity[] = TABLE.trim()
  .split("\n")
  .map((line): Quantity => {
    const [name, standard, short, id, grib, cmip, units, low, high, flags, aliases] = line.split("|");
    return {
      name,
      standardName: standard || undefined,
      shortName: short || undefined,
      paramId: id ? Number(id) : undefined,
      grib2: grib ? (grib.split(".").map(Number) as [number, number, number]) : undefined,
      cmip: cmip || undefined,
      aliases: aliases ? aliases.split(",") : [],
      units,
      range: [Number(low), Number(high)],
      surface: flags.includes("s"),
      kind: flags.includes("a") ? "amount" : flags.includes("r") ? "rate" : "state",
      water: flags.includes("w"),
      geopotential: flags.includes("g"),
    };
  });

/** The quantity of that name in any of the vocabularies; names of quantities at the surface win over those on levels. */
export function quantity(name: string): Quantity | undefined {
  const key = name.toLowerCase();
  const matches: ((q: Quantity) => boolean)[] = [
    (q) => q.name === key,
    (q) => q.cmip?.toLowerCase() === key && q.cmip !== undefined,
    (q) => q.shortName === key,
    (q) => q.aliases.includes(key),
  ];
  for (const match of matches) {
    const found = QUANTITIES.find(match);
    if (found) return found;
  }
  return undefined;
}

/** What is known of a variable to tell its quantity by. */
export interface Described {
  readonly name: string;
  readonly dims?: readonly string[];
  readonly attrs: Readonly<Record<string, unknown>>;
}

/**
 * The quantity a variable holds, told by ECMWF's paramId, its name and CF's standard name; undefined where none of them is
 * known or its units measure something else.
 */
export function identify({ name, dims = [], attrs }: Described): Quantity | undefined {
  const onLevels = dims.includes("level");
  const id = Number(attrs["GRIB_paramId"]);
  const standard = attrs["standard_name"];
  const short = attrs["GRIB_shortName"] ?? attrs["short_name"];
  const units = typeof attrs["units"] === "string" ? attrs["units"] : undefined;
  const names = [name, short].filter((each): each is string => typeof each === "string");
  const candidates = [
    ...QUANTITIES.filter((q) => q.paramId === id),
    ...names.flatMap((each) => {
      const key = each.toLowerCase();
      return QUANTITIES.filter(
        (q) => q.name === key || q.cmip?.toLowerCase() === key || q.shortName === key || q.aliases.includes(key),
      );
    }),
    ...QUANTITIES.filter((q) => q.standardName !== undefined && q.standardName === standard),
  ].filter((q) => units === undefined || !isUnit(units) || fits(q, units));
  const matching = candidates.filter(
    (q) => typeof standard !== "string" || q.standardName === undefined || q.standardName === standard,
  );
  const pool = matching.length > 0 ? matching : candidates;
  // one level of a variable on levels keeps its short name: `t`, `u`, `q`; heights and pressures alone do not tell
  const upper = pool.find((q) => q.shortName === name.toLowerCase() && !q.surface);
  if (upper && !pool.some((q) => q.shortName === upper.shortName && q.surface)) return upper;
  return pool.find((q) => q.surface !== onLevels) ?? pool[0];
}

const fits = (q: Quantity, units: string): boolean => {
  try {
    toCanonical(q, units);
    return true;
  } catch {
    return false;
  }
};

/** From some units to the quantity's own; a word about water or geopotential is taken from the quantity. */
export const toCanonical = (q: Quantity, units: string): Conversion =>
  conversion(units, q.units, { water: q.water, geopotential: q.geopotential });
