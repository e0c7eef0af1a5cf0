// A home-made exporter with client_golang: a GaugeVec for each family.
//
// The flags are those of the peers in Rust (../src/read.rs). It is built without modules, from the
// packages of the distribution.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const prefix = "marketing_messages_"

var families = []struct {
	name, field    string
	percent, money bool
}{
	{"delivered", "delivered", false, false},
	{"link_clicks", "link_btn_click", false, false},
	{"link_click_ratio", "link_btn_click_rate", true, false},
	{"read_ratio", "read_rate", true, false},
	{"delivery_ratio", "delivery_rate", true, false},
	{"spend", "spend", false, true},
	{"cost_per_delivered", "cost_per_delivered", false, true},
	{"cost_per_link_click", "cost_per_link_btn_click", false, true},
}

type page struct {
	Data   []map[string]interface{} `json:"data"`
	Paging struct {
		Next    string `json:"next"`
		Cursors struct {
			After string `json:"after"`
		} `json:"cursors"`
	} `json:"paging"`
}

func readAccount(api string, account int, window string, gauges []*prometheus.GaugeVec) error {
	fields := "account_id,account_currency,ad_id"
	for _, family := range families {
		fields += "," + prefix + family.field
	}
	for after := ""; ; {
		query := url.Values{"level": {"ad"}, "fields": {fields}, "date_preset": {window}, "limit": {"500"}, "after": {after}}
		request, err := http.NewRequest("GET", fmt.Sprintf("%s/v26.0/act_%d/insights?%s", api, account, query.Encode()), nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer token-main")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		var answer page
		err = json.NewDecoder(response.Body).Decode(&answer)
		response.Body.Close()
		if err != nil {
			return err
		}
		for _, row := range answer.Data {
			text := func(name string) string { value, _ := row[name].(string); return value }
			for index, family := range families {
				number := text(prefix + family.field)
				if family.percent && number != "" {
					number += "e-2"
				}
				value, err := strconv.ParseFloat(number, 64)
				if err != nil {
					continue
				}
				labels := []string{"meta", text("account_id"), text("ad_id"), window, "growth"}
				if family.money {
					labels = append(labels, text("account_currency"))
				}
				gauges[index].WithLabelValues(labels...).Set(value)
			}
		}
		if answer.Paging.Next == "" {
			return nil
		}
		after = answer.Paging.Cursors.After
	}
}

func main() {
	api := flag.String("api", "", "where the API is")
	accounts := flag.Int("accounts", 1, "ad accounts from 1001 on")
	windows := flag.String("windows", "", "date presets")
	interval := flag.Float64("interval", 60, "seconds between rounds")
	flag.Parse()

	registry := prometheus.NewRegistry()
	var gauges []*prometheus.GaugeVec
	for _, family := range families {
		labels := []string{"source", "account_id", "campaign_id", "window", "team"}
		if family.money {
			labels = append(labels, "currency")
		}
		gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + family.name, Help: family.name}, labels)
		registry.MustRegister(gauge)
		gauges = append(gauges, gauge)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening %s\n", listener.Addr())
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	go func() { log.Fatal(http.Serve(listener, nil)) }()

	for first := true; ; first = false {
		started := time.Now()
		for _, window := range strings.Split(*windows, ",") {
			for account := 1001; account < 1001+*accounts; account++ {
				if err := readAccount(*api, account, window, gauges); err != nil {
					log.Fatal(err)
				}
			}
		}
		if first {
			fmt.Println("ready")
		}
		time.Sleep(time.Until(started.Add(time.Duration(*interval * float64(time.Second)))))
	}
}
