/*
 * What ipvsadm 1.31 (Debian 12) printed in a User-Mode Linux guest (6.1.176) after five connections through
 * 10.0.0.50:8000: `ipvsadm --save --numeric` and `ipvsadm --list --numeric --exact OPTION` for each of the options.
 */
export const IPVSADM_OUTPUT = {
  '--save': `-A -t 10.0.0.1:80 -s wlc
-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 5
-a -t 10.0.0.1:80 -r 10.1.0.2:80 -i -w 5 --tun-type gue --tun-port 6080 --tun-nocsum
-a -t 10.0.0.1:80 -r 10.1.0.3:80 -i -w 5 --tun-type gue --tun-port 6080 --tun-csum
-a -t 10.0.0.1:80 -r 10.1.0.4:80 -i -w 5 --tun-type gue --tun-port 6080 --tun-remcsum
-a -t 10.0.0.1:80 -r 10.1.0.5:80 -i -w 5 --tun-type gre --tun-csum
-a -t 10.0.0.1:80 -r 10.1.0.6:80 -i -w 5 --tun-type ipip
-a -t 10.0.0.1:80 -r 10.1.0.7:80 -g -w 0
-a -t 10.0.0.1:80 -r [2001:db8::7]:80 -i -w 1 --tun-type ipip
-A -t 10.0.0.2:0 -s rr -p 360 -M 255.255.255.0
-A -t 10.0.0.50:8000 -s rr -p 100
-a -t 10.0.0.50:8000 -r 127.0.0.1:8000 -m -w 3
-A -u 10.0.0.1:53 -s sh -o -b sh-fallback,sh-port
-A -u 10.0.0.2:5060 -s rr -p 100 --pe sip -o
-A --sctp-service 10.0.0.1:53 -s mh -b mh-fallback,mh-port
-A -t [2001:db8::1]:443 -s ovf -b flag-1,flag-3
-a -t [2001:db8::1]:443 -r [2001:db8::2]:8443 -m -w 1
-A -u [2001:db8::53]:53 -s rr
-a -u [2001:db8::53]:53 -r [2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:53 -i -w 1 --tun-type ipip
-A -f 7 -s wrr
-a -f 7 -r 10.3.3.3:0 -g -w 1
-a -f 7 -r 10.3.3.4:99 -m -w 1
-A -f 7 -6 -s wrr -p 300 -M 64
-a -f 7 -6 -r [2001:db8::9]:0 -g -w 1
`,
  '--stats': `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  10.0.0.1:80                         0        0        0        0        0
  -> 10.1.0.1:8080                       0        0        0        0        0
  -> 10.1.0.2:80                         0        0        0        0        0
  -> 10.1.0.3:80                         0        0        0        0        0
  -> 10.1.0.4:80                         0        0        0        0        0
  -> 10.1.0.5:80                         0        0        0        0        0
  -> 10.1.0.6:80                         0        0        0        0        0
  -> 10.1.0.7:80                         0        0        0        0        0
  -> [2001:db8::7]:80                    0        0        0        0        0
TCP  10.0.0.2:0                          0        0        0        0        0
TCP  10.0.0.50:8000                      5       30       23     1990     7620
  -> 127.0.0.1:8000                      5       30       23     1990     7620
UDP  10.0.0.1:53                         0        0        0        0        0
UDP  10.0.0.2:5060                       0        0        0        0        0
SCTP 10.0.0.1:53                         0        0        0        0        0
TCP  [2001:db8::1]:443                   0        0        0        0        0
  -> [2001:db8::2]:8443                  0        0        0        0        0
UDP  [2001:db8::53]:53                   0        0        0        0        0
  -> [2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:53        0        0        0        0        0
FWM  7                                   0        0        0        0        0
  -> 10.3.3.3:0                          0        0        0        0        0
  -> 10.3.3.4:99                         0        0        0        0        0
FWM  7 IPv6                              0        0        0        0        0
  -> [2001:db8::9]:0                     0        0        0        0        0
`,
  '--rate': `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS
  -> RemoteAddress:Port
TCP  10.0.0.1:80                         0        0        0        0        0
  -> 10.1.0.1:8080                       0        0        0        0        0
  -> 10.1.0.2:80                         0        0        0        0        0
  -> 10.1.0.3:80                         0        0        0        0        0
  -> 10.1.0.4:80                         0        0        0        0        0
  -> 10.1.0.5:80                         0        0        0        0        0
  -> 10.1.0.6:80                         0        0        0        0        0
  -> 10.1.0.7:80                         0        0        0        0        0
  -> [2001:db8::7]:80                    0        0        0        0        0
TCP  10.0.0.2:0                          0        0        0        0        0
TCP  10.0.0.50:8000                      1        3        2      208      776
  -> 127.0.0.1:8000                      1        3        2      208      776
UDP  10.0.0.1:53                         0        0        0        0        0
UDP  10.0.0.2:5060                       0        0        0        0        0
SCTP 10.0.0.1:53                         0        0        0        0        0
TCP  [2001:db8::1]:443                   0        0        0        0        0
  -> [2001:db8::2]:8443                  0        0        0        0        0
UDP  [2001:db8::53]:53                   0        0        0        0        0
  -> [2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:53        0        0        0        0        0
FWM  7                                   0        0        0        0        0
  -> 10.3.3.3:0                          0        0        0        0        0
  -> 10.3.3.4:99                         0        0        0        0        0
FWM  7 IPv6                              0        0        0        0        0
  -> [2001:db8::9]:0                     0        0        0        0        0
`,
  '--persistent-conn': `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn 
  -> RemoteAddress:Port
TCP  10.0.0.1:80 wlc
  -> 10.1.0.1:8080                5         0           0          0         
  -> 10.1.0.2:80                  5         0           0          0         
  -> 10.1.0.3:80                  5         0           0          0         
  -> 10.1.0.4:80                  5         0           0          0         
  -> 10.1.0.5:80                  5         0           0          0         
  -> 10.1.0.6:80                  5         0           0          0         
  -> 10.1.0.7:80                  0         0           0          0         
  -> [2001:db8::7]:80             1         0           0          0         
TCP  10.0.0.2:0 rr persistent 360 mask 255.255.255.0
TCP  10.0.0.50:8000 rr persistent 100
  -> 127.0.0.1:8000               3         1           0          5         
UDP  10.0.0.1:53 sh (sh-fallback,sh-port) ops
UDP  10.0.0.2:5060 rr persistent 100 pe sip ops
SCTP 10.0.0.1:53 mh (mh-fallback,mh-port)
TCP  [2001:db8::1]:443 ovf (flag-1,flag-3)
  -> [2001:db8::2]:8443           1         0           0          0         
UDP  [2001:db8::53]:53 rr
  -> [2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:53 1         0           0          0         
FWM  7 wrr
  -> 10.3.3.3:0                   1         0           0          0         
  -> 10.3.3.4:99                  1         0           0          0         
FWM  7 IPv6 wrr persistent 300 mask 64
  -> [2001:db8::9]:0              1         0           0          0         
`,
  '--thresholds': `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn 
  -> RemoteAddress:Port
TCP  10.0.0.1:80 wlc
  -> 10.1.0.1:8080                100        50         0          0         
  -> 10.1.0.2:80                  0          0          0          0         
  -> 10.1.0.3:80                  0          0          0          0         
  -> 10.1.0.4:80                  0          0          0          0         
  -> 10.1.0.5:80                  0          0          0          0         
  -> 10.1.0.6:80                  0          0          0          0         
  -> 10.1.0.7:80                  0          0          0          0         
  -> [2001:db8::7]:80             0          0          0          0         
TCP  10.0.0.2:0 rr persistent 360 mask 255.255.255.0
TCP  10.0.0.50:8000 rr persistent 100
  -> 127.0.0.1:8000               0          0          0          5         
UDP  10.0.0.1:53 sh (sh-fallback,sh-port) ops
UDP  10.0.0.2:5060 rr persistent 100 pe sip ops
SCTP 10.0.0.1:53 mh (mh-fallback,mh-port)
TCP  [2001:db8::1]:443 ovf (flag-1,flag-3)
  -> [2001:db8::2]:8443           0          0          0          0         
UDP  [2001:db8::53]:53 rr
  -> [2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:53 0          0          0          0         
FWM  7 wrr
  -> 10.3.3.3:0                   0          0          0          0         
  -> 10.3.3.4:99                  0          0          0          0         
FWM  7 IPv6 wrr persistent 300 mask 64
  -> [2001:db8::9]:0              0          0          0          0         
`,
} as const;
