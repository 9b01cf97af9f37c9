/**
 * Parameters under ECMWF's paramIds, and the codes both editions of GRIB have for them. Written by
 * `fixtures/parameter-table.py` from ECMWF's public parameter registry; do not edit.
 */

/** paramId | short name | units | CF standard name | name */
export const PARAMETERS = `
1|strf|m2 s-1||Stream function
2|vp|m2 s-1||Velocity potential
3|pt|K||Potential temperature
8|sro|m||Surface runoff
9|ssro|m||Sub-surface runoff
10|ws|m s-1||Wind speed
27|cvl|1||Low vegetation cover
28|cvh|1||High vegetation cover
29|tvl|||Type of low vegetation
30|tvh|||Type of high vegetation
31|ci|1|sea_ice_area_fraction|Sea ice area fraction
32|asn|1||Snow albedo
33|rsn|kg m-3||Snow density
34|sst|K||Sea surface temperature
39|swvl1|m3 m-3||Volumetric soil water layer 1
40|swvl2|m3 m-3||Volumetric soil water layer 2
41|swvl3|m3 m-3||Volumetric soil water layer 3
42|swvl4|m3 m-3||Volumetric soil water layer 4
43|slt|||Soil type
45|smlt|m of water equivalent||Snowmelt
49|10fg|m s-1||10 metre wind gust since previous post-processing
53|mont|m2 s-2||Montgomery potential
54|pres|Pa||Pressure
57|uvb|J m-2||Downward UV radiation at the surface
59|cape|J kg-1||Convective available potential energy
60|pv|K m2 kg-1 s-1||Potential vorticity
66|lai_lv|m2 m-2||Leaf area index, low vegetation
67|lai_hv|m2 m-2||Leaf area index, high vegetation
75|crwc|kg kg-1||Specific rain water content
76|cswc|kg kg-1||Specific snow water content
78|tclw|kg m-2||Total column cloud liquid water
79|tciw|kg m-2||Total column cloud ice water
121|mx2t6|K||Maximum temperature at 2 metres in the last 6 hours
122|mn2t6|K||Minimum temperature at 2 metres in the last 6 hours
123|10fg6|m s-1||10 metre wind gust in the last 6 hours
129|z|m2 s-2|geopotential|Geopotential
130|t|K|air_temperature|Temperature
131|u|m s-1|eastward_wind|U component of wind
132|v|m s-1|northward_wind|V component of wind
133|q|kg kg-1|specific_humidity|Specific humidity
134|sp|Pa|surface_air_pressure|Surface pressure
135|w|Pa s-1|lagrangian_tendency_of_air_pressure|Vertical velocity
136|tcw|kg m-2||Total column water
137|tcwv|kg m-2|lwe_thickness_of_atmosphere_mass_content_of_water_vapor|Total column vertically-integrated water vapour
138|vo|s-1|atmosphere_relative_vorticity|Vorticity (relative)
139|stl1|K|surface_temperature|Soil temperature level 1
140|swl1|m of water equivalent|lwe_thickness_of_soil_moisture_content|Soil wetness level 1
141|sd|m of water equivalent|lwe_thickness_of_surface_snow_amount|Snow depth
142|lsp|m|lwe_thickness_of_stratiform_precipitation_amount|Large-scale precipitation
143|cp|m|lwe_thickness_of_convective_precipitation_amount|Convective precipitation
144|sf|m of water equivalent|lwe_thickness_of_snowfall_amount|Snowfall
145|bld|J m-2|kinetic_energy_dissipation_in_atmosphere_boundary_layer|Boundary layer dissipation
146|sshf|J m-2|surface_upward_sensible_heat_flux|Surface sensible heat flux
147|slhf|J m-2|surface_upward_latent_heat_flux|Surface latent heat flux
148|chnk|||Charnock
151|msl|Pa|air_pressure_at_mean_sea_level|Mean sea level pressure
152|lnsp|||Logarithm of surface pressure
155|d|s-1|divergence_of_wind|Divergence
156|gh|gpm|geopotential_height|Geopotential height
157|r|%|relative_humidity|Relative humidity
159|blh|m||Boundary layer height
160|sdor|m||Standard deviation of orography
161|isor|||Anisotropy of sub-gridscale orography
162|anor|radians||Angle of sub-gridscale orography
163|slor|||Slope of sub-gridscale orography
164|tcc|1|cloud_area_fraction|Total cloud cover
165|10u|m s-1||10 metre U wind component
166|10v|m s-1||10 metre V wind component
167|2t|K||2 metre temperature
168|2d|K||2 metre dewpoint temperature
169|ssrd|J m-2|surface_downwelling_shortwave_flux_in_air|Surface short-wave (solar) radiation downwards
170|stl2|K||Soil temperature level 2
172|lsm|1|land_binary_mask|Land-sea mask
173|sr|m|surface_roughness_length|Surface roughness
174|al|1|surface_albedo|Albedo
175|strd|J m-2||Surface long-wave (thermal) radiation downwards
176|ssr|J m-2|surface_net_downward_shortwave_flux|Surface net short-wave (solar) radiation
177|str|J m-2|surface_net_upward_longwave_flux|Surface net long-wave (thermal) radiation
178|tsr|J m-2|toa_net_upward_shortwave_flux|Top net short-wave (solar) radiation
179|ttr|J m-2|toa_outgoing_longwave_flux|Top net long-wave (thermal) radiation
180|ewss|N m-2 s|surface_downward_eastward_stress|Eastward turbulent surface stress
181|nsss|N m-2 s|surface_downward_northward_stress|Northward turbulent surface stress
182|e|m of water equivalent|lwe_thickness_of_water_evaporation_amount|Evaporation
183|stl3|K||Soil temperature level 3
186|lcc|1||Low cloud cover
187|mcc|1||Medium cloud cover
188|hcc|1||High cloud cover
189|sund|s||Sunshine duration
194|btmp|K||Brightness temperature
195|lgws|N m-2 s||Eastward gravity wave surface stress
196|mgws|N m-2 s||Northward gravity wave surface stress
197|gwd|J m-2||Gravity wave dissipation
198|src|m of water equivalent||Skin reservoir content
199|veg|1||Vegetation fraction
201|mx2t|K||Maximum temperature at 2 metres since previous post-processing
202|mn2t|K||Minimum temperature at 2 metres since previous post-processing
203|o3|kg kg-1|mass_fraction_of_ozone_in_air|Ozone mass mixing ratio
205|ro|m||Runoff
206|tco3|kg m-2|atmosphere_mass_content_of_ozone|Total column ozone
207|10si|m s-1||10 metre wind speed
208|tsrc|J m-2||Top net solar radiation, clear sky
209|ttrc|J m-2||Top net thermal radiation, clear sky
210|ssrc|J m-2|surface_net_downward_shortwave_flux_assuming_clear_sky|Surface net short-wave (solar) radiation, clear sky
211|strc|J m-2|surface_net_downward_longwave_flux_assuming_clear_sky|Surface net long-wave (thermal) radiation, clear sky
212|tisr|J m-2||TOA incident solar radiation
213|vimd|kg m-2||Vertically integrated moisture divergence
228|tp|m||Total precipitation
229|iews|N m-2||Instantaneous eastward turbulent surface stress
230|inss|N m-2||Instantaneous northward turbulent surface stress
231|ishf|W m-2||Instantaneous surface sensible heat flux
232|ie|kg m-2 s-1||Instantaneous moisture flux
235|skt|K||Skin temperature
236|stl4|K||Soil temperature level 4
238|tsn|K|temperature_in_surface_snow|Temperature of snow layer
239|csf|m of water equivalent||Convective snowfall
240|lsf|m of water equivalent||Large-scale snowfall
243|fal|1||Forecast albedo
244|fsr|m||Forecast surface roughness
246|clwc|kg kg-1||Specific cloud liquid water content
247|ciwc|kg kg-1||Specific cloud ice water content
248|cc|1||Fraction of cloud cover
3003|ptend|Pa s-1||Pressure tendency
3005|icaht|m||ICAO Standard Atmosphere reference height
3008|h|m||Geometrical height
3009|hstdv|m||Standard deviation of height
3014|papt|K||Pseudo-adiabatic potential temperature
3015|tmax|K||Maximum temperature
3016|tmin|K||Minimum temperature
3017|dpt|K||Dew point temperature
3018|depr|K||Dew point depression (or deficit)
3019|lapr|K m-1||Lapse rate
3020|vis|m||Visibility
3021|rdsp1|||Radar spectra (1)
3022|rdsp2|||Radar spectra (2)
3023|rdsp3|||Radar spectra (3)
3024|pli|K||Parcel lifted index (to 500 hPa)
3025|ta|K||Temperature anomaly
3026|presa|Pa||Pressure anomaly
3027|gpa|gpm||Geopotential height anomaly
3028|wvsp1|||Wave spectra (1)
3029|wvsp2|||Wave spectra (2)
3030|wvsp3|||Wave spectra (3)
3031|wdir|Degree true||Wind direction
3037|mntsf|m2 s-2||Montgomery stream Function
3038|sgcvv|s-1||Sigma coordinate vertical velocity
3041|absv|s-1||Absolute vorticity
3042|absd|s-1||Absolute divergence
3045|vucsh|s-1||Vertical u-component shear
3046|vvcsh|s-1||Vertical v-component shear
3047|dirc|Degree true||Direction of current
3048|spc|m s-1||Speed of current
3049|ucurr|m s-1||U-component of current
3050|vcurr|m s-1||V-component of current
3053|mixr|kg kg-1||Humidity mixing ratio
3054|pwat|kg m-2||Precipitable water
3055|vp|Pa||Vapour pressure
3056|satd|Pa||Saturation deficit
3059|prate|kg m-2 s-1||Precipitation rate
3060|tstm|%||Thunderstorm probability
3062|lsp|kg m-2||large scale precipitation
3063|acpcp|kg m-2|lwe_thickness_of_convective_precipitation_amount|Convective precipitation (water)
3064|srweq|kg m-2 s-1||Snow fall rate water equivalent
3066|sde|m|lwe_thickness_of_surface_snow_amount|Snow depth
3067|mld|m||Mixed layer depth
3068|tthdp|m||Transient thermocline depth
3069|mthd|m||Main thermocline depth
3070|mtha|m||Main thermocline anomaly
3072|ccc|%|convective_cloud_area_fraction|Convective cloud cover
3073|lcc|%||Low cloud cover
3074|mcc|%||Medium cloud cover
3075|hcc|%||High cloud cover
3077|bli|K||Best lifted index (to 500 hPa)
3079|lssf|kg m-2||Large scale snow
3080|wtmp|K||Water temperature
3082|dslm|m||Deviation of sea-level from mean
3086|ssw|kg m-2||Soil moisture content
3088|s|kg kg-1||Salinity
3089|den|kg m-3||Density
3091|icec|1||
3092|icetk|m||Ice thickness
3093|diced|Degree true||Direction of ice drift
3094|siced|m s-1||Speed of ice drift
3095|uice|m s-1||U-component of ice drift
3096|vice|m s-1||V-component of ice drift
3097|iceg|m s-1||Ice growth rate
3098|iced|s-1||Ice divergence
3099|snom|kg m-2||Snow melt
3100|swh|m||Signific.height,combined wind waves+swell
3101|mdww|Degree true||Mean direction of wind waves
3102|shww|m||Significant height of wind waves
3103|mpww|s||Mean period of wind waves
3104|swdir|Degree true||Direction of swell waves
3105|swell|m||Significant height of swell waves
3106|swper|s||Mean period of swell waves
3107|mdps|Degree true||Primary wave direction
3108|mpps|s||Primary wave mean period
3109|dirsw|Degree true||Secondary wave direction
3110|swp|s||Secondary wave mean period
3111|nswrs|W m-2||Net short-wave radiation flux (surface)
3112|nlwrs|W m-2||Net long-wave radiation flux (surface)
3113|nswrt|W m-2||Net short-wave radiation flux(atmosph.top)
3114|nlwrt|W m-2||Net long-wave radiation flux(atmosph.top)
3115|lwavr|W m-2||Long wave radiation flux
3116|swavr|W m-2||Short wave radiation flux
3117|grad|W m-2||Global radiation flux
3119|lwrad|W m-1 sr-1||Radiance (with respect to wave number)
3120|swrad|W m-3 sr-1||Radiance (with respect to wave length)
3121|lhf|W m-2|surface_upward_latent_heat_flux|Latent heat flux
3122|shf|W m-2|surface_upward_sensible_heat_flux|Sensible heat flux
3123|bld|W m-2|kinetic_energy_dissipation_in_atmosphere_boundary_layer|Boundary layer dissipation
3124|uflx|N m-2||Momentum flux, u-component
3125|vflx|N m-2||Momentum flux, v-component
3126|wmixe|J||Wind mixing energy
3127|imgd|||Image data
140214|tauoc|dimensionless||Normalized stress into ocean
140215|ust|m s-1||U-component stokes drift
140216|vst|m s-1||V-component stokes drift
140217|tmax|s||Period corresponding to maximum individual wave height
140218|hmax|m||Maximum individual wave height
140220|mp1|s||Mean wave period based on first moment
140221|mp2|s||Mean zero-crossing wave period
140222|wdw|radians||Wave spectral directional width
140229|swh|m||Significant height of combined wind waves and swell
140230|mwd|Degree true||Mean wave direction
140231|pp1d|s||Peak wave period
140232|mwp|s||Mean wave period
140233|cdww|dimensionless||Coefficient of drag with waves
140234|shww|m||Significant height of wind waves
140235|mdww|degrees||Mean direction of wind waves
140236|mpww|s||Mean period of wind waves
140237|shts|m||Significant height of total swell
140238|mdts|degrees||Mean direction of total swell
140239|mpts|s||Mean period of total swell
140249|dwi|degrees||10 metre wind direction
140251|2dfd|m2 s radian-1||2D wave spectra (single)
140253|bfi|dimensionless||Benjamin-Feir index
151159|sst|deg C||Specified sea surface temperature
160199|vegrea|%||Percentage of vegetation
172228|tprate|m s-1||Mean total precipitation rate
210123|co|kg kg-1|mass_fraction_of_carbon_monoxide_in_air|Carbon monoxide mass mixing ratio
210203|go3|kg kg-1|mass_fraction_of_ozone_in_air|Ozone mass mixing ratio (full chemistry scheme)
228001|cin|J kg-1||Convective inhibition
228002|orog|m||Orography
228003|zust|m s-1||Friction velocity
228010|lblt|K||Lake bottom temperature
228014|licd|m||Lake ice total depth
228017|dctb|m||Duct base height
228020|degm10l|m||-10 degrees C isothermal level (atm)
228021|fdir|J m-2||Total sky direct solar radiation at surface
228022|cdir|J m-2||Clear-sky direct solar radiation at surface
228023|cbh|m||Cloud base height
228024|deg0l|m||0 degrees C isothermal level (atm)
228026|mx2t3|K||Maximum temperature at 2 metres in the last 3 hours
228027|mn2t3|K||Minimum temperature at 2 metres in the last 3 hours
228028|10fg3|m s-1||10 metre wind gust in the last 3 hours
228029|i10fg|m s-1||Instantaneous 10 metre wind gust
228032|asn|%||Snow albedo
228039|sm|kg m-3||Soil moisture
228044|capes|m2 s-2||Convective available potential energy shear
228046|hcct|m||Height of convective cloud top
228050|litoti|km-2 day-1||Instantaneous total lightning flash density
228080|aco2nee|kg m-2||Accumulated Carbon Dioxide Net Ecosystem Exchange
228081|aco2gpp|kg m-2||Accumulated Carbon Dioxide Gross Primary Production
228082|aco2rec|kg m-2||Accumulated Carbon Dioxide Ecosystem Respiration
228089|tcrw|kg m-2||Total column rain water
228090|tcsw|kg m-2||Total column snow water
228129|ssrdc|J m-2||Surface solar radiation downward clear-sky
228130|strdc|J m-2||Surface thermal radiation downward clear-sky
228139|st|K||Soil temperature
228141|sd|kg m-2||Snow depth water equivalent
228143|cp|kg m-2||Convective precipitation
228144|sf|kg m-2||Snow Fall water equivalent
228164|tcc|%||Total Cloud Cover
228205|ro|kg m-2||Water runoff and drainage
228226|mxtpr|kg m-2 s-1||Maximum total precipitation rate since previous post-processing
228227|mntpr|kg m-2 s-1||Minimum total precipitation rate since previous post-processing
228228|tp|kg m-2||Total Precipitation
228239|200u|m s-1||200 metre U wind component
228240|200v|m s-1||200 metre V wind component
228246|100u|m s-1||100 metre U wind component
228247|100v|m s-1||100 metre V wind component
228249|100si|m s-1||100 metre wind speed
228251|pev|m||Potential evaporation
235023|mser|kg m-2 s-1||Mean snow evaporation rate
235029|mlspr|kg m-2 s-1||Mean large-scale precipitation rate
235030|mcpr|kg m-2 s-1||Mean convective precipitation rate
235031|msr|kg m-2 s-1||Mean snowfall rate
235033|msshf|W m-2||Mean surface sensible heat flux
235034|mslhf|W m-2||Mean surface latent heat flux
235035|msdwswrf|W m-2||Mean surface downward short-wave radiation flux
235036|msdwlwrf|W m-2||Mean surface downward long-wave radiation flux
235037|msnswrf|W m-2||Mean surface net short-wave radiation flux
235038|msnlwrf|W m-2||Mean surface net long-wave radiation flux
235039|mtnswrf|W m-2||Mean top net short-wave radiation flux
235040|mtnlwrf|W m-2||Mean top net long-wave radiation flux
235053|mtdwswrf|W m-2||Mean top downward short-wave radiation flux
235055|mtpr|kg m-2 s-1||Mean total precipitation rate
235070|mper|kg m-2 s-1||Mean potential evaporation rate
260002|lhtfl|W m-2||Latent heat net flux
260009|ncpcp|kg m-2||Large scale precipitation (non-convective)
260011|snoc|kg m-2||Convective snow
260015|ptype|code table (4.201)||Precipitation type
260029|crain|(Code table 4.222)||Categorical rain
260030|cfrzr|(Code table 4.222)||Categorical freezing rain
260031|cicep|(Code table 4.222)||Categorical ice pellets
260032|csnow|(Code table 4.222)||Categorical snow
260033|cprat|kg m-2 s-1||Convective precipitation rate
260038|snowc|%||Snow cover
260048|tprate|kg m-2 s-1||Total precipitation rate
260050|lsprate|kg m-2 s-1||Large scale precipitation rate
260062|uflx|N m-2||Momentum flux, u component
260063|vflx|N m-2||Momentum flux, v component
260065|gust|m s-1||Wind speed (gust)
260073|fricv|m s-1||Frictional velocity
260074|prmsl|Pa||Pressure reduced to MSL
260080|5wavh|gpm||5-wave geopotential height
260084|5wava|gpm||5-wave geopotential height anomaly
260086|nswrt|W m-2||Net short-wave radiation flux (top of atmosphere)
260087|dswrf|W m-2||Downward short-wave radiation flux
260088|uswrf|W m-2||Upward short-wave radiation flux
260095|nlwrs|W m-2||Net long wave radiation flux (surface)
260096|nlwrt|W m-2||Net long wave radiation flux (top of atmosphere)
260097|dlwrf|W m-2||Downward long-wave radiation flux
260098|ulwrf|W m-2||Upward long-wave radiation flux
260102|cwat|kg m-2||Cloud water
260109|ceil|m||Ceiling
260111|cwork|J kg-1||Cloud work function
260121|kx|K||K index
260123|totalx|K||Total totals index
260125|hlcy|m2 s-2||Storm relative helicity
260127|lftx|K||Surface lifted index
260128|4lftx|K||Best (4-layer) lifted index
260165|rcat|%||Relative clear air turbulence (RCAT)
260180|veg|%||Vegetation
260185|soilw|Proportion||Volumetric soil moisture content
260186|gflux|W m-2||Ground heat flux
260238|wz|m s-1||Geometric vertical velocity
260242|2r|%||2 metre relative humidity
260255|aptmp|K||Apparent temperature
260256|hindex|Numeric||Haines Index
260260|10wdir|Degree true||10 metre wind direction
260317|mslet|Pa||MSLP (Eta model reduction)
260389|refd|dB||Derived radar reflectivity
260390|refc|dB||Maximum/Composite radar reflectivity
260509|al|%|surface_albedo|Albedo
300012|vtmp|K||Virtual temperature
402000|mass_mixrat|kg kg-1||Mass mixing ratio
`;

/** discipline.category.number, further conditions, paramId; the entry with most conditions that hold is right. */
export const EDITION_2 = `
0.0.0 130
0.0.0 centre=98 s1=103 v1=2 stat=2 hours=3 228026
0.0.0 centre=98 s1=103 v1=2 stat=3 hours=3 228027
0.0.0 s1=103 v1=2 167
0.0.0 s1=103 v1=2 stat=2 hours=6 121
0.0.0 s1=103 v1=2 stat=3 hours=6 122
0.0.10 260002
0.0.10 s1=1 stat=1 147
0.0.11 s1=1 231
0.0.11 s1=1 stat=1 146
0.0.17 s1=1 235
0.0.2 3
0.0.21 260255
0.0.4 3015
0.0.5 3016
0.0.6 3017
0.0.6 s1=103 v1=2 168
0.1.0 133
0.1.1 157
0.1.1 s1=103 v1=2 260242
0.1.10 3063
0.1.11 3066
0.1.16 3099
0.1.19 260015
0.1.192 centre=7 260029
0.1.193 centre=7 260030
0.1.194 centre=7 260031
0.1.195 centre=7 260032
0.1.196 centre=7 260033
0.1.201 centre=7 260038
0.1.3 3054
0.1.33 260029
0.1.34 260030
0.1.35 260031
0.1.36 260032
0.1.37 260033
0.1.37 s1=1 stat=1 228143
0.1.42 260038
0.1.45 s1=1 s2=8 228089
0.1.46 s1=1 s2=8 228090
0.1.51 s1=1 s2=8 136
0.1.52 s1=1 260048
0.1.52 s1=1 stat=1 228228
0.1.53 s1=1 stat=1 228144
0.1.54 260050
0.1.54 s1=1 stat=1 3062
0.1.60 228141
0.1.61 33
0.1.64 s1=1 s2=8 137
0.1.69 s1=1 s2=8 78
0.1.70 s1=1 s2=8 79
0.1.79 s1=1 232
0.1.8 centre=7 228228
0.1.83 246
0.1.84 247
0.1.85 75
0.1.86 76
0.1.9 260009
0.14.1 203
0.16.195 centre=7 260389
0.16.196 centre=7 260390
0.17.4 s1=1 s2=8 228050
0.19.0 3020
0.19.1 260509
0.19.19 228032
0.19.22 260165
0.2.0 3031
0.2.0 s1=103 v1=10 260260
0.2.1 10
0.2.1 s1=103 v1=10 207
0.2.1 s1=103 v1=100 228249
0.2.10 3041
0.2.12 138
0.2.13 155
0.2.14 60
0.2.15 3045
0.2.16 3046
0.2.17 260062
0.2.18 260063
0.2.197 centre=7 260073
0.2.2 131
0.2.2 s1=103 v1=10 165
0.2.2 s1=103 v1=100 228246
0.2.2 s1=103 v1=200 228239
0.2.20 stat=1 145
0.2.22 260065
0.2.22 s1=103 v1=10 228029
0.2.22 s1=103 v1=10 stat=2 hours=3 228028
0.2.3 132
0.2.3 s1=103 v1=10 166
0.2.3 s1=103 v1=100 228247
0.2.3 s1=103 v1=200 228240
0.2.30 260073
0.2.37 s1=1 230
0.2.37 s1=1 stat=1 181
0.2.38 s1=1 229
0.2.38 s1=1 stat=1 180
0.2.4 1
0.2.5 2
0.2.8 135
0.2.9 260238
0.20.2 402000
0.20.2 constituent=0 210203
0.20.2 constituent=4 210123
0.3.0 54
0.3.0 s1=1 134
0.3.0 s1=101 151
0.3.1 260074
0.3.15 260080
0.3.16 s1=1 stat=1 195
0.3.17 s1=1 stat=1 196
0.3.18 159
0.3.19 260084
0.3.192 centre=7 260317
0.3.193 centre=7 260080
0.3.197 centre=7 260084
0.3.23 stat=1 197
0.3.25 centre=98 s1=105 152
0.3.4 129
0.3.5 156
0.3.5 s1=1 228002
0.3.6 3008
0.3.6 s1=20 v1=263.15 228020
0.3.6 s1=20 v1=273.15 228024
0.4.0 3111
0.4.1 260086
0.4.1 s1=8 stat=1 178
0.4.11 s1=1 stat=1 210
0.4.11 s1=8 stat=1 208
0.4.12 s1=1 stat=1 57
0.4.192 centre=7 260087
0.4.193 centre=7 260088
0.4.7 260087
0.4.7 s1=1 stat=1 169
0.4.7 s1=8 stat=1 212
0.4.8 260088
0.4.9 s1=1 stat=1 176
0.5.0 260095
0.5.1 260096
0.5.192 centre=7 260097
0.5.193 centre=7 260098
0.5.3 260097
0.5.3 s1=1 stat=1 175
0.5.4 260098
0.5.5 s1=1 stat=1 177
0.5.5 s1=8 stat=1 179
0.5.6 s1=1 stat=1 211
0.5.6 s1=8 stat=1 209
0.6.1 centre=7 228164
0.6.1 s1=1 s2=8 228164
0.6.13 260109
0.6.15 260111
0.6.193 centre=7 260111
0.6.24 s1=1 stat=1 189
0.6.27 228046
0.6.3 3073
0.6.32 248
0.6.4 3074
0.6.5 3075
0.6.6 260102
0.7.10 260127
0.7.11 260128
0.7.192 centre=7 260127
0.7.193 centre=7 260128
0.7.2 260121
0.7.4 260123
0.7.6 centre=7 59
0.7.6 s1=1 s2=8 59
0.7.7 centre=7 228001
0.7.7 s1=1 s2=8 228001
0.7.8 260125
1.2.1 s1=162 s2=255 228010
1.2.5 s1=174 s2=176 228014
10.0.14 140230
10.0.15 140232
10.0.17 228003
10.0.28 140221
10.0.3 140229
10.0.34 140231
10.0.5 140234
10.0.6 140236
10.2.0 s1=1 31
10.3.0 s1=1 34
2.0.0 s1=1 172
2.0.1 173
2.0.10 260186
2.0.192 centre=7 260185
2.0.193 centre=7 260186
2.0.2 228139
2.0.3 3086
2.0.33 228205
2.0.4 260180
2.0.9 260185
2.3.0 43
2.3.28 238
2.4.2 260256
`;

/** Number in WMO's table 2 (versions 1 to 3), further conditions, paramId. */
export const EDITION_1 = `
1 54
1 type=1 134
2 151
3 3003
4 60
5 3005
6 129
7 156
7 type=1 228002
8 3008
9 3009
10 206
11 130
11 type=105 level=2 167
12 300012
13 3
14 3014
15 type=105 level=2 121
15 3015
16 type=105 level=2 122
16 3016
17 type=105 level=2 168
17 3017
18 3018
19 3019
20 3020
21 3021
22 3022
23 3023
24 3024
25 3025
26 3026
27 3027
28 3028
29 3029
30 3030
31 3031
32 10
33 131
33 type=105 level=10 165
34 132
34 type=105 level=10 166
35 1
36 2
37 3037
38 3038
39 135
41 3041
42 3042
43 138
44 155
45 3045
46 3046
47 3047
48 3048
49 3049
50 3050
51 133
52 157
53 3053
54 3054
55 3055
56 3056
57 182
59 3059
60 3060
61 type=1 level=0 228228
62 3062
63 3063
64 3064
65 228144
66 3066
67 3067
68 3068
69 3069
70 3070
71 228164
72 3072
73 3073
74 3074
75 3075
76 260102
77 3077
78 260011
79 3079
80 3080
81 172
82 3082
83 173
84 260509
85 228139
86 228039
87 160199
88 3088
89 3089
90 205
91 3091
92 3092
93 3093
94 3094
95 3095
96 3096
97 3097
98 3098
99 3099
100 3100
101 3101
102 3102
103 3103
104 3104
105 3105
106 3106
107 3107
108 3108
109 3109
110 3110
111 3111
112 3112
113 3113
114 3114
115 3115
116 3116
117 3117
118 194
119 3119
120 3120
121 3121
122 3122
123 3123
124 3124
125 3125
126 3126
127 3127
`;
