package worktime

import (
	"math"
	"time"
)

// The Vietnamese lunar calendar goes by the new moons and the sun as they are at UTC+7, the Chinese one by UTC+8: in some
// years their days differ. Positions follow J. Meeus, Astronomical Algorithms, chapters 25 and 49, good to a minute of time
// for new moons and a quarter of an hour for the sun in the years 1900 to 2100.

// epoch1970 is 1 January 1970, 0:00 UTC, as a Julian day.
const epoch1970 = 2440587.5

// localOffset is UTC+7 as a part of a day.
const localOffset = 7.0 / 24

// lunarDate returns the civil day on which a day of a lunar month falls; the month is the ordinary one, not the leap one
// that may follow it. The year is the civil one that its first month begins in, and months 1 to 10 can be asked for.
func lunarDate(year, month, day int) string {
	first, next := eleventhMonth(year-1), eleventhMonth(year)
	index := month + 1 // month 11 is 0, month 12 is 1, month 1 is 2
	if next-first == 13 && leapIndex(first) <= index {
		index++
	}
	return dayName(newMoonDay(first+index) + day - 1)
}

// eleventhMonth is the number of the new moon that begins month 11 of a year, the month with the winter solstice in it.
func eleventhMonth(year int) int {
	december := dayNumber(time.Date(year, time.December, 31, 0, 0, 0, 0, time.UTC))
	k := int(math.Floor((float64(december) + epoch1970 - 2451550.1) / 29.530588861))
	for newMoonDay(k+1) <= december {
		k++
	}
	for newMoonDay(k) > december || solarTerm(newMoonDay(k)) >= 9 {
		k-- // it begins after the solstice, at 270 degrees
	}
	return k
}

// leapIndex says which month after month 11 is the leap one in a year that has one: the first in which the sun enters no new
// twelfth of its way.
func leapIndex(first int) int {
	for i := 1; i < 13; i++ {
		if solarTerm(newMoonDay(first+i)) == solarTerm(newMoonDay(first+i+1)) {
			return i
		}
	}
	return 13
}

// newMoonDay is the local day of the k-th new moon after that of 6 January 2000, in days since 1970.
func newMoonDay(k int) int {
	return int(math.Floor(newMoon(float64(k)) - epoch1970 + localOffset))
}

// newMoon returns the instant of a new moon as a Julian day of universal time.
func newMoon(k float64) float64 {
	t := k / 1236.85
	sun := radians(2.5534 + 29.10535670*k - 0.0000014*t*t)
	moon := radians(201.5643 + 385.81693528*k + 0.0107582*t*t)
	node := radians(160.7108 + 390.67050284*k - 0.0016118*t*t)
	ascending := radians(124.7746 - 1.56375588*k)
	e := 1 - 0.002516*t - 0.0000074*t*t // of the earth's orbit
	at := 2451550.09766 + 29.530588861*k + 0.00015437*t*t
	for _, term := range [...]struct{ size, sun, moon, node float64 }{
		{-0.40720, 0, 1, 0}, {0.17241 * e, 1, 0, 0}, {0.01608, 0, 2, 0}, {0.01039, 0, 0, 2}, {0.00739 * e, -1, 1, 0},
		{-0.00514 * e, 1, 1, 0}, {0.00208 * e * e, 2, 0, 0}, {-0.00111, 0, 1, -2}, {-0.00057, 0, 1, 2}, {0.00056 * e, 1, 2, 0},
		{-0.00042, 0, 3, 0}, {0.00042 * e, 1, 0, 2}, {0.00038 * e, 1, 0, -2}, {-0.00024 * e, -1, 2, 0}, {-0.00007, 2, 1, 0},
	} {
		at += term.size * math.Sin(term.sun*sun+term.moon*moon+term.node*node)
	}
	at += -0.00017*math.Sin(ascending) + 0.000325*math.Sin(radians(299.77+0.107408*k-0.009173*t*t)) + 0.000165*math.Sin(radians(251.88+0.016321*k))
	years := k / 12.3685
	return at - (62.92+0.32217*years+0.005589*years*years)/86400 // from uniform time to the earth's own
}

// solarTerm says in which twelfth of its way the sun stands as a local day begins: 0 from the spring equinox on.
func solarTerm(day int) int {
	t := (float64(day) + epoch1970 - localOffset - 2451545) / 36525
	anomaly := radians(357.52911 + 35999.05029*t - 0.0001537*t*t)
	longitude := 280.46646 + 36000.76983*t + 0.0003032*t*t +
		(1.914602-0.004817*t)*math.Sin(anomaly) + 0.019993*math.Sin(2*anomaly) + 0.000289*math.Sin(3*anomaly) -
		0.00569 - 0.00478*math.Sin(radians(125.04-1934.136*t))
	return int(math.Floor(math.Mod(math.Mod(longitude, 360)+360, 360) / 30))
}

func radians(degrees float64) float64 { return math.Mod(degrees, 360) * math.Pi / 180 }
